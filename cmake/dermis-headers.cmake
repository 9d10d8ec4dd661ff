# Target `headers`: each public header is compiled alone, without the library's precompiled header, which would hide missing
# includes. Headers that promise to need no LibTorch are compiled as C++17 without its include path.

get_target_property(eigen_folders Eigen3::Eigen INTERFACE_INCLUDE_DIRECTORIES)
get_target_property(torch_folders torch INTERFACE_INCLUDE_DIRECTORIES)
list(TRANSFORM eigen_folders PREPEND -isystem)
list(TRANSFORM torch_folders PREPEND -isystem)

# dermis_includes(<variable> <header>): what a header includes of ours and of LibTorch, directly or not.
function(dermis_includes variable header)
  set(found)
  set(open ${header})
  while(open)
    list(POP_FRONT open next)
    file(STRINGS ${PROJECT_SOURCE_DIR}/include/${next} lines REGEX "^#include [\"<](dermis|torch)/")
    foreach(line IN LISTS lines)
      string(REGEX REPLACE "^#include [\"<]([^\">]+)[\">].*" "\\1" include "${line}")
      if(NOT include IN_LIST found)
        list(APPEND found ${include})
        if(include MATCHES "^dermis/")
          list(APPEND open ${include})
        endif()
      endif()
    endforeach()
  endwhile()
  set(${variable} ${found} PARENT_SCOPE)
endfunction()

# LibTorch takes seconds to parse. A header that includes one of these anyway is given it first, precompiled: nothing is
# hidden that the header does not bring itself.
set(anchors dermis/layers/parameter.hpp torch/types.h)
set(torch_flags -std=c++20 ${dermis_warnings} -Werror -I ${PROJECT_SOURCE_DIR}/include ${eigen_folders} ${torch_folders})
foreach(anchor IN LISTS anchors)
  set(file ${PROJECT_BINARY_DIR}/headers/anchors/${anchor})
  file(WRITE ${file} "#include <${anchor}>\n")
  add_custom_command(OUTPUT ${file}.gch
    COMMAND ${CMAKE_CXX_COMPILER} ${torch_flags} -x c++-header -MD -MF ${file}.d -MT ${file}.gch ${file} -o ${file}.gch
    DEPFILE ${file}.d COMMENT "Precompiling ${anchor}" VERBATIM)
endforeach()

set(stamps)
set(headers_on_torch
  dermis/io/load.hpp
  dermis/io/tensors.hpp
  dermis/report/audit_report.hpp
  dermis/report/dermae_report.hpp
  dermis/report/dermaflux_report.hpp
  dermis/report/experiment_report.hpp
  dermis/report/explain_report.hpp
  dermis/report/new_kind_report.hpp
  dermis/report/skindistilvit_report.hpp)
file(GLOB_RECURSE public_headers RELATIVE ${PROJECT_SOURCE_DIR}/include CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/*.hpp)
foreach(header IN LISTS public_headers)
  set(flags ${torch_flags})
  set(precompiled)
  if(header MATCHES "^dermis/(core|edge|io|metrics|report|text)/|version.hpp$" AND NOT header IN_LIST headers_on_torch)
    set(flags -std=c++17 ${dermis_warnings} -Werror -I ${PROJECT_SOURCE_DIR}/include ${eigen_folders})
  else()
    dermis_includes(includes ${header})
    foreach(anchor IN LISTS anchors)
      if(NOT precompiled AND anchor IN_LIST includes)
        set(precompiled ${PROJECT_BINARY_DIR}/headers/anchors/${anchor})
        list(APPEND flags -Winvalid-pch -include ${precompiled})
        string(APPEND precompiled .gch)
      endif()
    endforeach()
  endif()
  set(stamp ${PROJECT_BINARY_DIR}/headers/${header}.stamp)
  cmake_path(GET stamp PARENT_PATH folder)
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(OUTPUT ${stamp}
    COMMAND ${CMAKE_CXX_COMPILER} ${flags} -fsyntax-only -MD -MF ${stamp}.d -MT ${stamp} -include ${header} -x c++ /dev/null
    COMMAND ${CMAKE_COMMAND} -E touch ${stamp}
    DEPENDS ${PROJECT_SOURCE_DIR}/include/${header} ${precompiled}
    DEPFILE ${stamp}.d COMMENT "Compiling ${header} alone" VERBATIM)
  list(APPEND stamps ${stamp})
endforeach()
add_custom_target(headers DEPENDS ${stamps})
