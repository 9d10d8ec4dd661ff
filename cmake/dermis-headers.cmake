# Target `headers`: each public header is compiled alone, without the precompiled header, which would hide missing
# includes. Headers that promise to need no LibTorch are compiled as C++17 without its include path.

get_target_property(eigen_folders Eigen3::Eigen INTERFACE_INCLUDE_DIRECTORIES)
get_target_property(torch_folders torch INTERFACE_INCLUDE_DIRECTORIES)
list(TRANSFORM eigen_folders PREPEND -isystem)
list(TRANSFORM torch_folders PREPEND -isystem)

set(stamps)
set(headers_on_torch dermis/io/load.hpp dermis/io/tensors.hpp dermis/report/audit_report.hpp dermis/report/dermae_report.hpp
  dermis/report/experiment_report.hpp)
file(GLOB_RECURSE public_headers RELATIVE ${PROJECT_SOURCE_DIR}/include CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/*.hpp)
foreach(header IN LISTS public_headers)
  set(flags -std=c++20 ${eigen_folders} ${torch_folders})
  if(header MATCHES "^dermis/(core|io|metrics|report)/|version.hpp$" AND NOT header IN_LIST headers_on_torch)
    set(flags -std=c++17 ${eigen_folders})
  endif()
  set(stamp ${PROJECT_BINARY_DIR}/headers/${header}.stamp)
  cmake_path(GET stamp PARENT_PATH folder)
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(OUTPUT ${stamp}
    COMMAND ${CMAKE_CXX_COMPILER} ${flags} -fsyntax-only ${dermis_warnings} -Werror -I ${PROJECT_SOURCE_DIR}/include
      -MD -MF ${stamp}.d -MT ${stamp} -include ${header} -x c++ /dev/null
    COMMAND ${CMAKE_COMMAND} -E touch ${stamp}
    DEPENDS ${PROJECT_SOURCE_DIR}/include/${header}
    DEPFILE ${stamp}.d COMMENT "Compiling ${header} alone" VERBATIM)
  list(APPEND stamps ${stamp})
endforeach()
add_custom_target(headers DEPENDS ${stamps})
