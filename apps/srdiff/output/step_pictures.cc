#include "output/step_pictures.h"

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include <regex>
#include <string>
#include <system_error>
#include <vector>

#include "srdiff/error.h"
#include "srdiff/image_io.h"

namespace fs = std::filesystem;
using Kind = srdiff::UpscaleState::Kind;

namespace {

constexpr const char* x_sr_name = "x_sr.png";
constexpr const char* weight_map_name = "w.png";
constexpr const char* mask_name = "mask.png";
constexpr const char* x_t_name = "x_t.png";
constexpr const char* x0_prefix = "x0_";

std::string file_name(const srdiff::UpscaleState& state) {
  switch (state.kind) {
    case Kind::x_sr:
      return x_sr_name;
    case Kind::weight_map:
      return weight_map_name;
    case Kind::mask:
      return mask_name;
    case Kind::x_t:
      return x_t_name;
    case Kind::x0:
      return fmt::format("{}{:03}_t{:04}.png", x0_prefix, state.evaluation, state.t);
  }
  return "state.png";
}

bool is_step_name(const std::string& name) {
  static const std::regex x0_name(std::string(x0_prefix) + R"(\d{3,}_t\d{4,}\.png)");
  return name == x_sr_name || name == weight_map_name || name == mask_name || name == x_t_name ||
         std::regex_match(name, x0_name);
}

/// Removes the steps of an earlier run, which could not be told from this one's.
void remove_steps(const fs::path& folder) {
  std::vector<fs::path> steps;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (is_step_name(entry.path().filename()) && entry.is_regular_file(error)) {
      steps.push_back(entry.path());
    }
  }
  for (const fs::path& step : steps) {
    fs::remove(step, error);  // where that fails, writing says so
  }
}

}  // namespace

bool would_be_step(const fs::path& folder, const fs::path& picture) {
  std::error_code error;
  const fs::path name = picture.filename();
  const fs::path above = picture.has_parent_path() ? picture.parent_path() : ".";
  return is_step_name(name) && fs::equivalent(folder, above, error);
}

void prepare_step_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    throw srdiff::InputError(folder.string() + ": cannot be made a folder for the steps" +
                             (error ? ": " + error.message() : ""));
  }
  remove_steps(folder);
}

void write_step_picture(const fs::path& folder, const srdiff::UpscaleState& state) {
  srdiff::Image picture;
  picture.rgb = state.value[0];
  if (state.kind == Kind::weight_map || state.kind == Kind::mask) {  // [0,1] → [−1,1]
    picture.grey = picture.rgb.size(0) == 1;
    picture.rgb = picture.rgb.expand({3, -1, -1}).mul(2.0).sub(1.0);
  }
  write_image(folder / file_name(state), picture);
}
