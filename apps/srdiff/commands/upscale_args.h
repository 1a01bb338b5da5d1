#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "commands/method_options.h"
#include "commands/preferences.h"
#include "commands/stopwatch.h"
#include "srdiff/image_io.h"

/// What only a folder has.
struct FolderArgs {
  std::string used;  ///< the first of these options typed that one picture cannot have, or empty
  bool recursive = false;
  std::vector<std::string> globs;
  std::vector<std::string> excludes;
  std::string suffix;
  std::string files_from;
  bool null_separated = false;
  bool overwrite = false;
  bool resume = false;
  bool fail_fast = false;
  std::string report;
  std::string html;
  std::string shard = "1/1";
};

struct UpscaleArgs : OptionOrigins {
  std::string input;
  std::string output;
  std::vector<std::string> more;  ///< words behind these two: then several pictures are inputs
  MethodArgs method;
  FolderArgs folder;
  std::string format;
  srdiff::EncodeOptions encode;
  std::int64_t max_pixels = 0;  ///< 0: the model's own limit
  std::int64_t max_file_mib = 1024;
  double max_ratio = srdiff::DecodeLimits().max_pixels_per_byte;
  bool accept_damaged = false;
  std::string save_steps;
  std::string mask;
  std::string save_weight_map;
  std::optional<std::int64_t> variants;  ///< pictures by as many seeds; empty: one picture
  bool json = false;
  bool quiet = false;
  bool verbose = false;
};

/// What the options say of files, whatever the model.
srdiff::DecodeLimits file_limits(const UpscaleArgs& args);

/// What may be decoded: a picture that is too large for the model is refused by its header.
srdiff::DecodeLimits decode_limits(const UpscaleArgs& args, const srdiff::Manifest& manifest);

/// Says which model was taken where none was named.
void tell_default_model(const std::string& model);

/// How outputs are encoded: the options, and the note on how the picture was made.
srdiff::EncodeOptions encode_options(const UpscaleArgs& args, const Method& method);

/// One picture to be made of the input, which may be asked for with several seeds.
struct Variant {
  std::string output;
  std::uint64_t seed;
};

/// OUT-1.png, OUT-2.png, … or, where OUT is a folder, OUT/1.png, …, by the seeds from `seed` on.
/// `args.output` is OUT as it was typed. Throws UsageError where no names or seeds can be made.
std::vector<Variant> list_variants(const UpscaleArgs& args, std::uint64_t seed);

/// What the words IN and OUT name.
enum class Inputs { one_picture, named_pictures, folder };

/// The arguments without what a configuration alone asks for and such inputs have no use for. What
/// was typed stays, and overrides its opposite in the configuration. What is not made therefore
/// stands in `left_out`.
UpscaleArgs with_fitting_preferences(UpscaleArgs args, Inputs inputs);

int upscale_file(const UpscaleArgs& args);
int upscale_folder(const UpscaleArgs& args);
/// Several pictures into one folder, the last word.
int upscale_files(const UpscaleArgs& args);
