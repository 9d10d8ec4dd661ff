#include "dermis/data/groups.hpp"

#include <catch2/catch.hpp>
#include <stdexcept>

using namespace dermis;
using Groups = std::vector<int64_t>;

TEST_CASE("groups: images that share a lesion or a patient, through chains") {
  const std::vector<Sample> samples = {{.id = "a", .lesion = "L1"},
                                       {.id = "b", .patient = "P1"},
                                       {.id = "c"},
                                       {.id = "d", .lesion = "L2", .patient = "P1"},
                                       {.id = "e", .lesion = "L1", .patient = "P2"},
                                       {.id = "f"},
                                       {.id = "g", .lesion = "L2"},
                                       {.id = "h", .lesion = "P2"},  // a lesion called as a patient
                                       {.id = "i", .patient = "P2"}};
  CHECK(joined_groups(samples) == Groups{0, 1, 2, 1, 0, 3, 1, 4, 0});
  CHECK(joined_groups(samples, {{2, 8}, {6, 5}, {5, 5}}) == Groups{0, 1, 0, 1, 0, 1, 1, 2, 0});
  CHECK(joined_groups({}).empty());
}

TEST_CASE("groups: pairs beyond the samples") {
  CHECK_THROWS_AS(joined_groups({{.id = "a"}}, {{0, 1}}), std::invalid_argument);
  CHECK_THROWS_WITH(joined_groups({{.id = "a"}}, {{-1, 0}}),
                    Catch::Contains("[0, 1)") && Catch::Contains("-1 and 0"));
}
