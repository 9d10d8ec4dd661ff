#include "dermis/core/sha256.hpp"

#include <catch2/catch.hpp>

namespace dermis {
namespace {

// FIPS 180-4's examples and NIST's long message.
TEST_CASE("Digests are those of the standard") {
  CHECK(sha256("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256(std::string(1'000'000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("Pieces of any length have the digest of the whole") {
  const std::string whole(1000, 'x');
  for (const std::size_t piece : {1u, 7u, 63u, 64u, 65u, 128u, 999u}) {
    Sha256 hash;
    for (std::size_t at = 0; at < whole.size(); at += piece)
      hash.update(std::string_view(whole).substr(at, piece));
    CHECK(hash.finish() == sha256(whole));
  }
}

}  // namespace
}  // namespace dermis
