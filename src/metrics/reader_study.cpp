#include "dermis/metrics/reader_study.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "arguments.hpp"
#include "dermis/metrics/classification.hpp"

namespace dermis {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

using Rows = std::vector<std::int64_t>;

std::size_t column_of(const Table& table, const std::string& name) {
  const std::int64_t column = table.column(name);
  check_runtime(column >= 0, "[reader_study] ", table.source,
                ": expected columns reader, image and decision, got ", detail::join(table.columns));
  return static_cast<std::size_t>(column);
}

/// What one reader decided, row by row beside the model.
struct Reads {
  std::vector<int> decisions;  // 1 or 0
  ScoredImages model;          // ids left empty
};

/// The reader's own point: a decision is a score of 0 or 1.
OperatingPoint reader_point(const Reads& reads, const Rows& rows) {
  const std::vector<int> decisions = select(reads.decisions, rows);
  return point_at(0.5, {decisions.begin(), decisions.end()}, select(reads.model.positive, rows));
}

OperatingPoint model_point(const Reads& reads, const Rows& rows, double specificity) {
  if (std::isnan(specificity)) return {nan, nan, nan};
  return point_at_specificity(select(reads.model.scores, rows), select(reads.model.positive, rows),
                              specificity);
}

ReaderFigures figures_of(const Reads& reads, const BootstrapOptions& options) {
  ReaderFigures figures;
  figures.reads = static_cast<std::int64_t>(reads.decisions.size());
  figures.model = {nan, nan, nan};
  figures.sensitivity = figures.specificity = figures.difference = {nan, nan, nan};
  if (figures.reads == 0) return figures;
  const auto interval = [&](const auto& statistic) {
    return bootstrap_interval(reads.model.lesions, statistic, options);
  };
  figures.sensitivity =
      interval([&](const Rows& rows) { return reader_point(reads, rows).sensitivity; });
  figures.specificity =
      interval([&](const Rows& rows) { return reader_point(reads, rows).specificity; });
  figures.difference = interval([&](const Rows& rows) {
    const OperatingPoint reader = reader_point(reads, rows);
    return model_point(reads, rows, reader.specificity).sensitivity - reader.sensitivity;
  });
  Rows all;
  for (std::int64_t i = 0; i < figures.reads; ++i) all.push_back(i);
  figures.model = model_point(reads, all, figures.specificity.mean);
  return figures;
}

}  // namespace

ReaderDecisions reader_decisions(const Table& table, const std::vector<std::string>& classes,
                                 const std::vector<std::string>& positive) {
  const auto is_in = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  check_argument(classes.empty() == positive.empty(),
                 "[reader_study] expected classes together with those that are positive, got ",
                 classes.size(), " and ", positive.size());
  for (const std::string& name : positive)
    check_argument(is_in(classes, name), "[reader_study] expected positive classes among ",
                   detail::join(classes), ", got '", name, "'");
  const std::size_t reader = column_of(table, "reader");
  const std::size_t image = column_of(table, "image");
  const std::size_t decision = column_of(table, "decision");
  check_runtime(!table.rows.empty(), "[reader_study] ", table.source,
                ": expected rows of decisions, got none");
  ReaderDecisions decisions{table.source, {}};
  std::map<std::pair<std::string, std::string>, std::int64_t> line_of;
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    const std::vector<std::string>& cells = table.rows[r];
    const std::int64_t line = table.lines[r];
    const std::string where = text("[reader_study] ", table.source, ":", line);
    check_runtime(!cells[reader].empty() && !cells[image].empty(), where,
                  ": expected a reader and an image, got '", cells[reader], "' and '", cells[image],
                  "'");
    const auto [earlier, first] = line_of.emplace(std::pair(cells[reader], cells[image]), line);
    check_runtime(first, where, ": expected one decision of ", cells[reader], " about ",
                  cells[image], ", got another in line ", earlier->second);
    const std::string& said = cells[decision];
    const bool named = is_in(classes, said);
    check_runtime(said.empty() || named || said == "0" || said == "1", where,
                  ": expected a decision of ", classes.empty() ? "0 or 1" : "0, 1, ",
                  detail::join(classes), ", got '", said, "'");
    const bool yes = named ? is_in(positive, said) : said == "1";
    decisions.rows.push_back({cells[reader], cells[image], said.empty() ? undecided : yes, line});
  }
  return decisions;
}

std::vector<ReaderFigures> reader_study(const ReaderDecisions& readers, const ScoredImages& model,
                                        const BootstrapOptions& options) {
  detail::check_same_rows(model.positive.size(), model.images.size(), "images");
  detail::check_same_rows(model.positive.size(), model.scores.size(), "scores");
  detail::check_same_rows(model.positive.size(), model.lesions.size(), "lesions");
  std::map<std::string, std::size_t> row_of;
  for (std::size_t i = 0; i < model.images.size(); ++i) {
    check_argument(row_of.emplace(model.images[i], i).second,
                   "[reader_study] expected each image scored once, got ", model.images[i],
                   " twice");
    check_argument(std::isfinite(model.scores[i]), "[reader_study] expected finite scores, got ",
                   model.scores[i], " for ", model.images[i]);
  }
  std::vector<std::string> names;
  std::map<std::string, Reads> reads_of;
  for (const ReaderDecision& row : readers.rows) {
    const auto place = row_of.find(row.image);
    check_runtime(place != row_of.end(), "[reader_study] ", readers.source, ":", row.line,
                  ": expected one of the ", model.images.size(), " scored images, got ", row.image);
    const auto [entry, first] = reads_of.emplace(row.reader, Reads{});
    if (first) names.push_back(row.reader);
    if (row.positive == undecided) continue;
    Reads& reads = entry->second;
    reads.decisions.push_back(row.positive);
    reads.model.scores.push_back(model.scores[place->second]);
    reads.model.positive.push_back(model.positive[place->second]);
    reads.model.lesions.push_back(model.lesions[place->second]);
  }
  std::vector<ReaderFigures> result;
  for (const std::string& name : names) {
    result.push_back(figures_of(reads_of[name], options));
    result.back().reader = name;
    result.back().missing = static_cast<std::int64_t>(model.images.size()) - result.back().reads;
  }
  return result;
}

}  // namespace dermis
