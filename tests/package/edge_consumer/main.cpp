// Links dermis::edge alone.
#include <cstdio>
#include <exception>

#include "dermis/edge/model.hpp"

static_assert(__cplusplus == 201703L, "dermis::edge is for C++17");

int main() {
  for (const auto& name : dermis::edge::kernel_names()) std::printf("%s\n", name.c_str());
  try {
    dermis::edge::Model model("/nonexistent/student.edge");
  } catch (const std::exception& error) {
    std::printf("%s\n", error.what());
    return 0;
  }
  return 1;
}
