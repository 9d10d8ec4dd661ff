#include "dermis/data/captions.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <map>

#include "dermis/core/check.hpp"
#include "dermis/core/random.hpp"
#include "dermis/io/csv.hpp"

namespace dermis {
namespace {

using Wordings = std::vector<std::string>;

constexpr int no_answer = -1;  // actinic keratosis: as the options say

/// Classes in lower case with spaces.
const std::map<std::string, int>& malignancies() {
  static const std::map<std::string, int> known{{"mel", 1},
                                                {"melanoma", 1},
                                                {"bcc", 1},
                                                {"basal cell carcinoma", 1},
                                                {"scc", 1},
                                                {"squamous cell carcinoma", 1},
                                                {"malignant", 1},
                                                {"ak", no_answer},
                                                {"akiec", no_answer},
                                                {"actinic keratosis", no_answer},
                                                {"nv", 0},
                                                {"nevus", 0},
                                                {"bkl", 0},
                                                {"benign keratosis", 0},
                                                {"seborrheic keratosis", 0},
                                                {"df", 0},
                                                {"dermatofibroma", 0},
                                                {"vasc", 0},
                                                {"vascular lesion", 0},
                                                {"benign", 0}};
  return known;
}

const std::string& pick(RandomStream& random, const Wordings& wordings) {
  return wordings[random.below(wordings.size())];
}

/// "a, b and c".
std::string listed(const std::vector<std::string>& names) {
  std::string list;
  for (std::size_t i = 0; i < names.size(); ++i)
    list += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return list;
}

std::string counted(std::size_t count) {
  static const Wordings words{"no", "one", "two", "three", "four", "five", "six"};
  return count < words.size() ? words[count] : std::to_string(count);
}

/// `wording` with `value` for {}.
std::string filled(std::string wording, const std::string& value) {
  wording.replace(wording.find("{}"), 2, value);
  return wording;
}

std::string asymmetry_sentence(RandomStream& random, int axes) {
  static const std::vector<Wordings> wordings{
      {"The mole in the image appears to be symmetrical.",
       "The lesion is symmetrical about both of its axes.",
       "Both halves of the mole mirror each other, along and across.",
       "In shape the lesion is symmetrical."},
      {"The mole is asymmetrical about one of its axes.",
       "The lesion is symmetrical along one axis, but not along the other.",
       "One half of the mole does not mirror the other; about the second axis it is symmetrical.",
       "In shape the lesion is asymmetrical about a single axis."},
      {"The mole in the image appears to be asymmetrical.",
       "The lesion is asymmetrical about both of its axes.",
       "Neither half of the mole mirrors the other, along or across.",
       "In shape the lesion is clearly asymmetrical."}};
  return pick(random, wordings.at(static_cast<std::size_t>(axes)));
}

std::string border_sentence(RandomStream& random, BorderOutline outline, BorderEdge edge) {
  static const std::map<BorderOutline, Wordings> outlines{
      {BorderOutline::Even, {"smooth and even", "regular", "even, without notches"}},
      {BorderOutline::SlightlyUneven, {"slightly irregular", "somewhat uneven", "a little wavy"}},
      {BorderOutline::Uneven, {"irregular and jagged", "uneven, with notches", "irregular"}}};
  static const std::map<BorderEdge, Wordings> edges{
      {BorderEdge::Fading, {"fades gradually into the skin", "blends into the surrounding skin"}},
      {BorderEdge::Partial, {"is fairly well defined", "is moderately sharp"}},
      {BorderEdge::Abrupt, {"ends abruptly", "is sharply cut off from the skin"}}};
  static const Wordings frames{"Its border is {} and ", "The border of the lesion is {}; it ",
                               "The edge is {} and "};
  return filled(pick(random, frames), pick(random, outlines.at(outline))) +
         pick(random, edges.at(edge)) + ".";
}

std::string colour_sentence(RandomStream& random, const std::vector<std::string>& colours) {
  static const Wordings uniform{"The color of the mole is uniform: {}.",
                                "The lesion has a single color, {}.",
                                "Its color is an even {} throughout."};
  static const Wordings varied{"The color varies: {}.", "The lesion shows several colors: {}.",
                               "Its colors are {}.", "In color the mole is mixed, with {}."};
  return filled(pick(random, colours.size() == 1 ? uniform : varied), listed(colours));
}

std::string size_sentence(RandomStream& random, const LesionDescription& d) {
  if (d.diameter_mm > 0) {
    static const Wordings wordings{"It measures about {} mm across.",
                                   "The diameter is about {} mm."};
    char number[32];
    std::snprintf(number, sizeof number, "%.0f", std::max(1.0, d.diameter_mm));
    return filled(pick(random, wordings), number);
  }
  if (d.area_share <= 0) return "";
  static const std::vector<Wordings> wordings{
      {"It is small within the picture.", "It takes up a small part of the picture."},
      {"It takes up a good part of the picture.", "It is of medium size within the picture."},
      {"It fills most of the picture.", "It is large within the picture."}};
  return pick(random, wordings[d.area_share < 0.12 ? 0 : d.area_share < 0.45 ? 1 : 2]);
}

std::string structure_sentence(RandomStream& random, const std::vector<std::string>& structures) {
  if (structures.empty()) return "";
  static const Wordings wordings{"Within it one sees {}.", "Dermoscopy shows {}.",
                                 "The lesion contains {}."};
  return filled(pick(random, wordings), listed(structures));
}

std::string summary_sentence(RandomStream& random, const LesionDescription& d) {
  static const Wordings frames{"Overall, the mole is {}.", "In summary, the lesion is {}.",
                               "Taken together, the mole is {}."};
  const std::string shape = d.asymmetric_axes == 0   ? "symmetrical"
                            : d.asymmetric_axes == 1 ? "partly asymmetrical"
                                                     : "asymmetrical";
  const std::string border = d.outline == BorderOutline::Even ? "a regular border"
                             : d.outline == BorderOutline::SlightlyUneven
                                 ? "a slightly irregular border"
                                 : "an irregular border";
  return filled(pick(random, frames),
                shape + ", with " + border + " and " +
                    (d.colours.size() == 1 ? "one color" : counted(d.colours.size()) + " colors"));
}

void add_counted(std::vector<std::string>& structures, int count, const std::string& one,
                 const std::string& many) {
  if (count == 1) structures.push_back(one);
  if (count > 1) structures.push_back((count < 4 ? "a few " : "many ") + many);
}

std::vector<std::string> structures_of(const PhantomAttributes& a) {
  std::vector<std::string> s;
  if (a.network != "none")
    s.push_back((a.network == "atypical" ? "an " : "a ") + a.network +
                (a.network == "pseudo" ? "network" : " pigment network"));
  add_counted(s, a.globules, "a globule", "globules");
  add_counted(s, a.streaks, "a streak", "streaks");
  add_counted(s, a.blotches, "a blotch", "blotches");
  add_counted(s, a.nests, "an ovoid nest", "ovoid nests");
  add_counted(s, a.cysts, "a milia-like cyst", "milia-like cysts");
  add_counted(s, a.comedo_openings, "a comedo-like opening", "comedo-like openings");
  add_counted(s, a.follicles, "a follicle", "follicles");
  add_counted(s, a.white_circles, "a white circle", "white circles");
  add_counted(s, a.lacunae, "a lacuna", "lacunae");
  if (a.vessels != "none") s.push_back(a.vessels + " vessels");
  if (a.ridges) s.emplace_back("ridges and fissures");
  if (a.scar) s.emplace_back("a central scar-like area");
  if (a.keratin) s.emplace_back("a central mass of keratin");
  if (a.scale) s.emplace_back("surface scale");
  return s;
}

BorderOutline outline_of(double irregularity, const DescriptionOptions& o) {
  return irregularity >= o.uneven            ? BorderOutline::Uneven
         : irregularity >= o.slightly_uneven ? BorderOutline::SlightlyUneven
                                             : BorderOutline::Even;
}

}  // namespace

bool is_malignant(const std::string& class_name, const MalignancyOptions& options) {
  std::string key;
  for (const char c : class_name)
    key += c == '_' ? ' ' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const auto found = malignancies().find(key);
  if (found != malignancies().end())
    return found->second == no_answer ? options.actinic_keratosis : found->second == 1;
  std::vector<std::string> known;
  for (const auto& entry : malignancies()) known.push_back(entry.first);
  throw std::runtime_error(
      text("[captions] expected a class that is known to be benign or "
           "malignant (",
           detail::join(known), "), got '", class_name, "'"));
}

LesionDescription describe(const PhantomAttributes& truth, bool malignant) {
  return {malignant,
          truth.asymmetry_axes,
          outline_of(truth.border_irregularity, {}),
          truth.border_abruptness >= 0.8   ? BorderEdge::Abrupt
          : truth.border_abruptness >= 0.5 ? BorderEdge::Partial
                                           : BorderEdge::Fading,
          truth.colours,
          truth.diameter_mm,
          0,
          structures_of(truth)};
}

LesionDescription describe(const LesionMeasures& m, bool malignant,
                           const DescriptionOptions& options) {
  LesionDescription d;
  d.malignant = malignant;
  for (std::size_t axis = 0; axis < 2; ++axis)
    d.asymmetric_axes += m.shape_asymmetry[axis] > options.shape_asymmetry ||
                         m.colour_asymmetry[axis] > options.colour_asymmetry;
  d.outline = outline_of(m.irregularity, options);
  d.edge = m.abruptness >= options.abrupt_edge    ? BorderEdge::Abrupt
           : m.abruptness >= options.partial_edge ? BorderEdge::Partial
                                                  : BorderEdge::Fading;
  std::vector<std::pair<double, std::string>> colours;
  for (std::size_t i = 0; i < dermoscopic_colours; ++i)
    if (m.colours[i]) colours.emplace_back(-m.colour_shares[i], dermoscopic_colour_names()[i]);
  std::sort(colours.begin(), colours.end());
  for (const auto& entry : colours) d.colours.push_back(entry.second);
  if (d.colours.empty()) d.colours.emplace_back("skin tone");
  d.diameter_mm = m.cut_off ? 0 : m.diameter_mm;
  d.area_share = m.area_share;
  return d;
}

std::string caption(const LesionDescription& d, std::uint64_t index,
                    const CaptionOptions& options) {
  check_argument(d.asymmetric_axes >= 0 && d.asymmetric_axes <= 2,
                 "[captions] expected 0 to 2 asymmetric axes, got ", d.asymmetric_axes);
  check_argument(!d.colours.empty(), "[captions] expected at least one colour, got none");
  RandomStream random(options.seed, "caption", 0, index);
  std::string words;
  if (options.opening)
    words = text("This photo depicts a ", d.malignant ? "malignant" : "benign",
                 " lesion. Here's a description of the mole:");
  for (const auto& sentence :
       {asymmetry_sentence(random, d.asymmetric_axes), border_sentence(random, d.outline, d.edge),
        colour_sentence(random, d.colours), size_sentence(random, d),
        structure_sentence(random, d.structures), summary_sentence(random, d)})
    if (!sentence.empty()) words += (words.empty() ? "" : " ") + sentence;
  return words;
}

}  // namespace dermis
