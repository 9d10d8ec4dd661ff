# Flags and target definitions shared by all of this project. None of it reaches consumers.

if(PROJECT_IS_TOP_LEVEL)
  # LibTorch does the heavy work: -O3 buys nothing here. No -march=native: builds move between machines.
  string(REPLACE "-O3" "-O2" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
endif()
set(CMAKE_CXX_EXTENSIONS OFF)

# Target with the private flags of every translation unit of this project. fmt is used header-only because LibTorch
# carries headers of another version: linking libfmt would mix the two.
# Designated initialisers leave out what has a default: that is their point, so no warning about it.
set(dermis_warnings -Wall -Wextra -Wno-missing-field-initializers)
add_library(dermis_flags INTERFACE)
target_compile_options(dermis_flags INTERFACE ${dermis_warnings} $<$<BOOL:${DERMIS_WERROR}>:-Werror>)
target_link_libraries(dermis_flags INTERFACE fmt::fmt-header-only)
if(DERMIS_SANITIZE)
  # No vptr check: LibTorch's own classes come without the type information that it needs.
  set(sanitizers -fsanitize=address,undefined -fno-sanitize=vptr -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  target_compile_options(dermis_flags INTERFACE ${sanitizers})
  target_link_options(dermis_flags INTERFACE ${sanitizers})
endif()

# dermis_add_library(<name> STANDARD <number> SOURCES <file>...): static library dermis_<name>, alias dermis::<name>.
function(dermis_add_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "STANDARD" "SOURCES")
  if(NOT arg_SOURCES)
    message(FATAL_ERROR "dermis::${name}: no sources below ${PROJECT_SOURCE_DIR}/src; is the checkout complete?")
  endif()
  add_library(dermis_${name} STATIC ${arg_SOURCES})
  add_library(dermis::${name} ALIAS dermis_${name})
  set_target_properties(dermis_${name} PROPERTIES EXPORT_NAME ${name} CXX_STANDARD ${arg_STANDARD})
  target_compile_features(dermis_${name} PUBLIC cxx_std_${arg_STANDARD})
  target_include_directories(dermis_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_libraries(dermis_${name} PRIVATE $<BUILD_INTERFACE:dermis_flags>)
endfunction()

# dermis_add_executable(<target> <file>...): an executable on dermis::dermis that reuses its precompiled header.
function(dermis_add_executable target)
  add_executable(${target} ${ARGN})
  target_link_libraries(${target} PRIVATE dermis::dermis dermis_flags)
  target_precompile_headers(${target} REUSE_FROM dermis_dermis)
endfunction()
