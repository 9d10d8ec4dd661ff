#include "dermis/core/hash.hpp"

#include <catch2/catch.hpp>

namespace dermis {
namespace {

TEST_CASE("hash: the published FNV-1a values") {
  // Fowler, Noll, Vo: test vectors of FNV-1a, 64 bits.
  CHECK(fingerprint("") == "cbf29ce484222325");
  CHECK(fingerprint("a") == "af63dc4c8601ec8c");
  CHECK(fingerprint("foobar") == "85944171f73967e8");
  CHECK(fingerprint(std::string_view("\0", 1)) != fingerprint(""));
  CHECK(fingerprint("\xFF") != fingerprint("\x7F"));
}

}  // namespace
}  // namespace dermis
