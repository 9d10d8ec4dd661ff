#pragma once
/// \file
/// Model card and synthetic-data card: one page that goes with a model or with generated images,
/// filled from what a run measured. The fields follow MI-CLAIM-GEN (arXiv 2403.02558), the SMD Card
/// (arXiv 2406.11143) and CLEAR-Derm (Daneshjou et al., JAMA Dermatology 2022); docs/cards.md says
/// what each one means. A field without a value reads "not measured" and is counted as such.

#include <cstdint>
#include <string>
#include <vector>

#include "dermis/core/json.hpp"

namespace dermis {

class HtmlReport;

/// What a card says: null is "not measured", {"mean", "lo", "hi"} an interval, an object of objects
/// a table with a row a member, any other object its members one by one.
struct CardField {
  std::string name;
  Json value;
};

/// Fields under a title. `statement` is prose for a reader, such as the intended use: said, not
/// measured, so it does not count as a field.
struct CardSection {
  std::string title;
  std::string statement;
  std::vector<CardField> fields;
};

struct Card {
  std::string title;
  std::vector<CardSection> sections;

  std::int64_t field_count() const;
  std::int64_t measured_count() const;  ///< fields with a value
};

/// The card of one classifier of a DerMAE run: `arm` is its key below "arms". `metrics` is the
/// run's metrics.json; what it lacks is not measured. `audit` is what was found out besides, as an
/// object; all of its keys may be missing:
///   distribution, fidelity, utility, dose, realness, memorisation, leakage, skin_tone, group_gaps,
///   shortcuts (each any JSON), decisions (to_json(DecisionFigures)), external (figures on images
///   of another source), provenance {generator, split, marks, codec, quarantined}, dataset
///   {label_basis, cameras, sites, age, sex, consent}, hardware, energy_kwh, licence, contact.
/// No patient's, lesion's or image's name and no path from either gets into a card: texts under
/// such keys and lists of texts are left out, paths within other texts become "(path)". Throws
/// std::invalid_argument if either is no object or `metrics` has arms but not this one.
Card model_card(const Json& metrics, const Json& audit = Json::object(),
                const std::string& arm = "teacher");

/// The card of the images that the same run's generator drew for training. Arguments as above.
Card synthetic_data_card(const Json& metrics, const Json& audit = Json::object());

/// A page of Markdown; whatever stands in a field shows as written, never as markup.
std::string to_markdown(const Card& card);

/// {"title", "measured", "fields", "sections": [{"title", "statement", "fields": [{"name",
/// "value"}]}]}; the value of an empty field is the string "not measured".
Json to_json(const Card& card);

/// Appends the card to a page: a heading of level 2, a table a section.
void add_card(HtmlReport& report, const Card& card);

}  // namespace dermis
