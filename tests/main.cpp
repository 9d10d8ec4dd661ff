// The one main() of every test executable: Catch2's own (with Catch2 3 it comes from its library).
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
