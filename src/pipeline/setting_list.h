#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "base/enum_words.h"
#include "srdiff/upscale_settings.h"

namespace srdiff {

/// The group of the command line's help that an option stands in.
enum class SettingGroup { method, method_more, size_more, machine_more };

/// All that the program knows of one setting. The command line's options, golden files, sweeps,
/// journals and the metadata of pictures are made from these.
template <typename Option, typename Value>
struct Setting {
  const char* name;         ///< in JSON; on the command line '-' stands for '_'
  const char* description;  ///< one line of help: what it does, its words or range
  SettingGroup group;
  Option UpscaleOptions::*option;     ///< what a caller asks for
  Value& (*value)(UpscaleSettings&);  ///< what is taken
  /// Says what is taken. `before` holds the settings that the list names before this one.
  Value (*settle)(const UpscaleOptions&, const UpscaleSettings& before, const Manifest&);

  struct Range {
    double low;
    double high;
  };
  std::optional<Range> range = {};  ///< where it depends on no other setting
  const char* default_word = "";    ///< the default that the help shows; empty: the model's
  bool takes_auto = false;          ///< on the command line "auto" asks for nothing
  bool in_figures = true;           ///< whether golden files and sweeps name it
  bool in_journal = true;           ///< whether the JSON of settled settings has it by its name
};

// What parse_word takes.
template <>
std::vector<std::string> words_of<Start>();
template <>
std::vector<std::string> words_of<SamplerKind>();
template <>
std::vector<std::string> words_of<GridSpacing>();
template <>
std::vector<std::string> words_of<ColorFix>();

/// Reads a setting that is a word. Throws UsageError naming the known words.
template <typename Word>
Word parse_word(const std::string& word) {
  static_assert(std::is_enum_v<Word>);
  if constexpr (std::is_same_v<Word, Start>) {
    return parse_start(word);
  } else if constexpr (std::is_same_v<Word, SamplerKind>) {
    return parse_sampler(word);
  } else if constexpr (std::is_same_v<Word, GridSpacing>) {
    return parse_grid_spacing(word);
  } else {
    return parse_color_fix(word);
  }
}

/// The detail that is asked for. Throws UsageError outside [0,1], for a start from noise, and where
/// the model has no curve.
std::optional<double> wanted_detail(const UpscaleOptions& options, const Manifest& manifest);

/// t, β and evaluations as they are asked for, by their own options, by the detail, or left to the
/// model. `t` and `sampler` are the settled ones.
int wanted_t(const UpscaleOptions& options, const Manifest& manifest);
double wanted_beta(const UpscaleOptions& options, const Manifest& manifest);
int wanted_nfe(const UpscaleOptions& options, int t, SamplerKind sampler, const Manifest& manifest);

/// The guidance that is asked for, or the model's where t, evaluations and sampler of `before` are
/// what it recommends: more evaluations would apply it more often. Else 1.
double wanted_guidance(const UpscaleOptions& options, const UpscaleSettings& before,
                       const Manifest& manifest);

/// A tile's side and overlap as they are asked for, low-resolution pixels. resolve_settings rounds
/// them up afterwards. Throw UsageError where the model takes no tiles.
int wanted_tile(const UpscaleOptions& options, const Manifest& manifest);
int wanted_overlap(const UpscaleOptions& options, int tile, const Manifest& manifest);

/// The scale, in thousandths. Throws UsageError on one that the model cannot come up to.
double settle_scale(const UpscaleOptions& options, const Manifest& manifest);

/// A setting of the output's size, of which there may be none. Figures are taken at the model's own
/// scale.
template <typename Side>
constexpr auto size_setting(
    const char* name, const char* description, std::optional<Side> UpscaleOptions::*option,
    std::optional<Side>& (*value)(UpscaleSettings&),
    std::optional<Side> (*settle)(const UpscaleOptions&, const UpscaleSettings&, const Manifest&)) {
  return Setting<std::optional<Side>, std::optional<Side>>{name,
                                                           description,
                                                           SettingGroup::size_more,
                                                           option,
                                                           value,
                                                           settle,
                                                           {},
                                                           "",
                                                           false,
                                                           /*in_figures=*/false};
}

/// Every setting once, in the order of JSON and help. A setting that is added here, and to
/// UpscaleOptions and UpscaleSettings, is an option, and is written and read everywhere.
inline constexpr auto setting_list = [] {
  using Asked = const UpscaleOptions&;
  using Taken = const UpscaleSettings&;
  using Model = const Manifest&;
  using enum SettingGroup;
  using OptionalInt = std::optional<int>;
  using OptionalDouble = std::optional<double>;
  using OptionalSide = std::optional<std::int64_t>;
  return std::make_tuple(
      Setting<Start, Start>{"start",
                            "predicted (eq. 1), sr (W = 0), noise (SR3)",
                            method_more,
                            &UpscaleOptions::start,
                            [](UpscaleSettings& s) -> Start& { return s.start; },
                            [](Asked asked, Taken, Model) { return asked.start; },
                            {},
                            "predicted"},
      Setting<bool, bool>{"weight_map", "W = 0 in equation 1", method_more,
                          &UpscaleOptions::weight_map,
                          [](UpscaleSettings& s) -> bool& { return s.weight_map; },
                          [](Asked asked, Taken, Model model) {
                            return asked.weight_map && asked.start == Start::predicted &&
                                   wanted_t(asked, model) != 0;
                          }},
      // What it comes to stands in t, beta, nfe and guidance.
      Setting<OptionalDouble, OptionalDouble>{
          "detail",
          "From x_sr, 0, to the most texture, 1: sets t, beta, nfe, guidance",
          method,
          &UpscaleOptions::detail,
          [](UpscaleSettings& s) -> OptionalDouble& { return s.detail; },
          [](Asked asked, Taken, Model model) { return wanted_detail(asked, model); },
          {{0.0, 1.0}},
          "",
          false,
          true,
          /*in_journal=*/false},
      Setting<OptionalInt, int>{
          "t", "Steps that remain at the start, to T; 0: x_sr alone", method, &UpscaleOptions::t,
          [](UpscaleSettings& s) -> int& { return s.t; },
          [](Asked asked, Taken, Model model) { return wanted_t(asked, model); }},
      Setting<OptionalDouble, double>{
          "beta",
          "Noise where the weight map is 0, 0 to 1",
          method,
          &UpscaleOptions::beta,
          [](UpscaleSettings& s) -> double& { return s.beta; },
          [](Asked asked, Taken, Model model) { return wanted_beta(asked, model); },
          {{0.0, 1.0}}},
      Setting<std::optional<SamplerKind>, SamplerKind>{
          "sampler", "ddpm, ddim or dpmpp", method, &UpscaleOptions::sampler,
          [](UpscaleSettings& s) -> SamplerKind& { return s.sampler; },
          [](Asked asked, Taken, Model model) {
            return asked.sampler.value_or(model.defaults.sampler);
          }},
      Setting<OptionalInt, int>{"nfe", "Denoiser evaluations, 1 to t (ddpm: t)", method,
                                &UpscaleOptions::nfe,
                                [](UpscaleSettings& s) -> int& { return s.nfe; },
                                [](Asked asked, Taken before, Model model) {
                                  return wanted_nfe(asked, before.t, before.sampler, model);
                                }},
      Setting<OptionalDouble, double>{
          "guidance",
          "How far x_0 goes away from x_sr, 0 to 8; 1: as the denoiser says",
          method_more,
          &UpscaleOptions::guidance,
          [](UpscaleSettings& s) -> double& { return s.guidance; },
          [](Asked asked, Taken before, Model model) {
            return wanted_guidance(asked, before, model);
          },
          {{0.0, most_guidance}}},
      Setting<OptionalDouble, double>{
          "eta",
          "DDIM's noise, 0 none to 1 as DDPM",
          method_more,
          &UpscaleOptions::eta,
          [](UpscaleSettings& s) -> double& { return s.eta; },
          [](Asked asked, Taken, Model model) { return asked.eta.value_or(model.defaults.eta); },
          {{0.0, 1.0}}},
      Setting<std::optional<GridSpacing>, GridSpacing>{
          "grid", "uniform, quadratic or logsnr steps", method_more, &UpscaleOptions::grid,
          [](UpscaleSettings& s) -> GridSpacing& { return s.grid; },
          [](Asked asked, Taken, Model model) { return asked.grid.value_or(model.defaults.grid); }},
      Setting<std::uint64_t, std::uint64_t>{
          "seed",
          "Noise seed",
          method,
          &UpscaleOptions::seed,
          [](UpscaleSettings& s) -> std::uint64_t& { return s.seed; },
          [](Asked asked, Taken, Model) { return asked.seed; },
          {},
          "0"},
      // Figures are taken at the model's own scale.
      Setting<OptionalDouble, double>{
          "scale",
          "Output side / input side, 1 to 64 (default: the model's)",
          method,
          &UpscaleOptions::scale,
          [](UpscaleSettings& s) -> double& { return s.scale; },
          [](Asked asked, Taken, Model model) { return settle_scale(asked, model); },
          {},
          "",
          false,
          /*in_figures=*/false},
      size_setting<std::int64_t>(
          "width", "Output's width in pixels; with height: fits both", &UpscaleOptions::width,
          [](UpscaleSettings& s) -> OptionalSide& { return s.width; },
          [](Asked asked, Taken, Model) { return asked.width; }),
      size_setting<std::int64_t>(
          "height", "Output's height in pixels", &UpscaleOptions::height,
          [](UpscaleSettings& s) -> OptionalSide& { return s.height; },
          [](Asked asked, Taken, Model) { return asked.height; }),
      size_setting<std::int64_t>(
          "long_side", "Output's longer side in pixels", &UpscaleOptions::long_side,
          [](UpscaleSettings& s) -> OptionalSide& { return s.long_side; },
          [](Asked asked, Taken, Model) { return asked.long_side; }),
      size_setting<double>(
          "megapixels", "Output's size in millions of pixels", &UpscaleOptions::megapixels,
          [](UpscaleSettings& s) -> OptionalDouble& { return s.megapixels; },
          [](Asked asked, Taken, Model) { return asked.megapixels; }),
      Setting<std::optional<ColorFix>, ColorFix>{
          "color_fix", "neutral: greys stay grey; consistency: low frequencies too; none",
          method_more, &UpscaleOptions::color_fix,
          [](UpscaleSettings& s) -> ColorFix& { return s.color_fix; },
          [](Asked asked, Taken before, Model model) {
            return asked.color_fix.value_or(before.t == 0 ? ColorFix::none
                                                          : model.defaults.color_fix);
          }},
      // The journal has both sides of a tile in one object.
      Setting<OptionalInt, int>{
          "tile",
          "Side of a tile in input pixels, 0 for none, or auto: fitted",
          method_more,
          &UpscaleOptions::tile,
          [](UpscaleSettings& s) -> int& { return s.tile.size; },
          [](Asked asked, Taken, Model model) { return wanted_tile(asked, model); },
          {},
          "auto",
          /*takes_auto=*/true,
          true,
          /*in_journal=*/false},
      Setting<OptionalInt, int>{"tile_overlap",
                                "Input pixels that neighbouring tiles share",
                                method_more,
                                &UpscaleOptions::tile_overlap,
                                [](UpscaleSettings& s) -> int& { return s.tile.overlap; },
                                [](Asked asked, Taken before, Model model) {
                                  return wanted_overlap(asked, before.tile.size, model);
                                },
                                {},
                                "",
                                false,
                                true,
                                /*in_journal=*/false},
      // The batch changes how fast a picture is made, not the picture.
      Setting<OptionalInt, OptionalInt>{"batch",
                                        "Images or tiles in one network call on a GPU, or auto",
                                        machine_more,
                                        &UpscaleOptions::batch,
                                        [](UpscaleSettings& s) -> OptionalInt& { return s.batch; },
                                        [](Asked asked, Taken, Model) { return asked.batch; },
                                        {},
                                        "auto",
                                        /*takes_auto=*/true,
                                        /*in_figures=*/false,
                                        /*in_journal=*/false});
}();

/// Calls visit(setting) for every setting of the list.
template <typename Visit>
void for_each_setting(const Visit& visit) {
  std::apply([&visit](const auto&... settings) { (visit(settings), ...); }, setting_list);
}

}  // namespace srdiff
