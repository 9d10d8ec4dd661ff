#pragma once
/// \file
/// The version of the library, for programs and for preprocessor tests. CMake reads the numbers
/// from here.

#define DERMIS_VERSION_MAJOR 0
#define DERMIS_VERSION_MINOR 1
#define DERMIS_VERSION_PATCH 0

namespace dermis {

inline constexpr const char* version = "0.1.0";

}  // namespace dermis
