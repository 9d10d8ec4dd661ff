#include "dermis/metrics/reader_study.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "dermis/metrics/classification.hpp"

using namespace dermis;

namespace {

ReaderDecisions decisions(const std::string& rows, const std::vector<std::string>& classes = {},
                          const std::vector<std::string>& positive = {}) {
  return reader_decisions(parse_csv("reader,image,decision\n" + rows, "readers.csv"), classes,
                          positive);
}

/// Four positives, then four negatives, every image a lesion of its own.
ScoredImages scored() {
  return {{"i0", "i1", "i2", "i3", "i4", "i5", "i6", "i7"},
          {.9, .8, .6, .3, .7, .5, .2, .1},
          {1, 1, 1, 1, 0, 0, 0, 0},
          std::vector<std::string>(8)};
}

const std::string ann =
    "ann,i0,1\nann,i1,1\nann,i2,0\nann,i3,0\nann,i4,1\nann,i5,0\nann,i6,0\nann,i7,0\n";

}  // namespace

TEST_CASE("reader study: decisions of 0 and 1, and of class names") {
  const ReaderDecisions binary = decisions("ann,i0,1\nbob,i0,\nbob,i1,0\n");
  REQUIRE(binary.rows.size() == 3);
  CHECK(binary.source == "readers.csv");
  CHECK(binary.rows[0].positive == 1);
  CHECK(binary.rows[1].positive == undecided);
  CHECK(binary.rows[1].reader == "bob");
  CHECK(binary.rows[2].positive == 0);
  CHECK(binary.rows[2].image == "i1");
  CHECK(binary.rows[2].line == 4);
  const ReaderDecisions named =
      decisions("ann,i0,MEL\nann,i1,NV\nann,i2,\nann,i3,1\n", {"NV", "MEL"}, {"MEL"});
  CHECK(named.rows[0].positive == 1);
  CHECK(named.rows[1].positive == 0);
  CHECK(named.rows[2].positive == undecided);
  CHECK(named.rows[3].positive == 1);
}

TEST_CASE("reader study: the model at each reader's specificity, on the images the reader saw") {
  const std::vector<ReaderFigures> figures =
      reader_study(decisions("bob,i0,1\nbob,i1,1\nbob,i4,0\nbob,i5,0\nbob,i6,\n" + ann), scored());
  REQUIRE(figures.size() == 2);
  // By hand: specificity 1 on i0, i1, i4, i5 asks for a threshold above 0.7, the next score is 0.8.
  CHECK(figures[0].reader == "bob");
  CHECK(figures[0].reads == 4);
  CHECK(figures[0].missing == 4);
  CHECK(figures[0].sensitivity.mean == 1);
  CHECK(figures[0].specificity.mean == 1);
  CHECK(figures[0].model.threshold == 0.8);
  CHECK(figures[0].model.sensitivity == 1);
  CHECK(figures[0].difference.mean == 0);
  // One false alarm in four may the model have too: down to 0.6, three of four positives.
  CHECK(figures[1].reader == "ann");
  CHECK(figures[1].reads == 8);
  CHECK(figures[1].missing == 0);
  CHECK(figures[1].sensitivity.mean == 0.5);
  CHECK(figures[1].specificity.mean == 0.75);
  CHECK(figures[1].model.threshold == 0.6);
  CHECK(figures[1].model.sensitivity == 0.75);
  CHECK(figures[1].model.specificity == 0.75);
  CHECK(figures[1].difference.mean == 0.25);
  CHECK(figures[1].difference.lo < 0.25);
  CHECK(figures[1].difference.hi > 0.25);
  CHECK(figures[1].sensitivity.lo < 0.5);
}

TEST_CASE("reader study: the difference is paired, and by lesion") {
  // A model that decides as the reader does differs from the reader in no resample.
  ScoredImages same = scored();
  same.scores = {1, 1, 0, 0, 1, 0, 0, 0};
  const ReaderFigures equal = reader_study(decisions(ann), same)[0];
  CHECK(equal.sensitivity.hi > equal.sensitivity.lo);
  CHECK(equal.difference.mean == 0);
  CHECK(equal.difference.lo == 0);
  CHECK(equal.difference.hi == 0);
  // Images of one lesion are drawn together: a single lesion leaves nothing to vary.
  ScoredImages one_lesion = scored();
  one_lesion.lesions.assign(8, "lesion");
  const ReaderFigures fixed = reader_study(decisions(ann), one_lesion)[0];
  CHECK(fixed.difference.lo == 0.25);
  CHECK(fixed.difference.hi == 0.25);
  CHECK(fixed.specificity.lo == 0.75);
}

TEST_CASE("reader study: figures that a reader leaves undefined are NaN") {
  const std::vector<ReaderFigures> figures = reader_study(
      decisions("positives,i0,1\npositives,i1,0\nnegatives,i4,0\nnothing,i0,\n"), scored());
  REQUIRE(figures.size() == 3);
  CHECK(figures[0].sensitivity.mean == 0.5);
  CHECK(std::isnan(figures[0].specificity.mean));
  CHECK(std::isnan(figures[0].model.threshold));
  CHECK(std::isnan(figures[0].difference.mean));
  CHECK(std::isnan(figures[1].sensitivity.mean));
  CHECK(figures[1].specificity.mean == 1);
  CHECK(std::isnan(figures[1].difference.hi));
  CHECK(figures[2].reads == 0);
  CHECK(figures[2].missing == 8);
  CHECK(std::isnan(figures[2].sensitivity.mean));
  CHECK(std::isnan(figures[2].difference.lo));
}

TEST_CASE("reader study: errors name file and line") {
  CHECK_THROWS_WITH(decisions("ann,i0,1\nann,i1,2\n"),
                    "[reader_study] readers.csv:3: expected a decision of 0 or 1, got '2'");
  CHECK_THROWS_WITH(
      decisions("ann,i0,mel\n", {"NV", "MEL"}, {"MEL"}),
      "[reader_study] readers.csv:2: expected a decision of 0, 1, NV, MEL, got 'mel'");
  CHECK_THROWS_WITH(decisions("ann,i0,1\n\nann,i0,\n"),
                    "[reader_study] readers.csv:4: expected one decision of ann about i0, got "
                    "another in line 2");
  CHECK_THROWS_WITH(decisions("ann,,1\n"),
                    "[reader_study] readers.csv:2: expected a reader and an image, got 'ann' and "
                    "''");
  CHECK_THROWS_WITH(decisions(""),
                    "[reader_study] readers.csv: expected rows of decisions, got none");
  CHECK_THROWS_WITH(
      reader_decisions(parse_csv("reader,image,label\na,i0,1\n", "readers.csv")),
      "[reader_study] readers.csv: expected columns reader, image and decision, got reader, image, "
      "label");
  CHECK_THROWS_AS(decisions("ann,i0,2\n"), std::runtime_error);
  CHECK_THROWS_WITH(reader_study(decisions("ann,i0,1\nann,i9,1\n"), scored()),
                    "[reader_study] readers.csv:3: expected one of the 8 scored images, got i9");
}

TEST_CASE("reader study: a caller's mistakes are refused") {
  CHECK_THROWS_WITH(decisions("ann,i0,1\n", {"NV", "MEL"}, {"BCC"}),
                    "[reader_study] expected positive classes among NV, MEL, got 'BCC'");
  CHECK_THROWS_AS(decisions("ann,i0,1\n", {}, {"MEL"}), std::invalid_argument);
  ScoredImages twice = scored();
  twice.images[3] = "i0";
  CHECK_THROWS_WITH(reader_study(decisions(ann), twice),
                    "[reader_study] expected each image scored once, got i0 twice");
  ScoredImages broken = scored();
  broken.scores[2] = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH(reader_study(decisions(ann), broken),
                    "[reader_study] expected finite scores, got nan for i2");
  ScoredImages ragged = scored();
  ragged.lesions.pop_back();
  CHECK_THROWS_AS(reader_study(decisions(ann), ragged), std::invalid_argument);
}
