#include "step_pictures.h"

#include <ATen/ATen.h>
#include <spdlog/fmt/fmt.h>

#include <system_error>

#include "srdiff/error.h"
#include "srdiff/image_io.h"

namespace fs = std::filesystem;
using Kind = srdiff::UpscaleState::Kind;

namespace {

constexpr const char* x_sr_name = "x_sr.png";
constexpr const char* weight_map_name = "w.png";
constexpr const char* x_t_name = "x_t.png";
constexpr const char* x0_prefix = "x0_";

std::string file_name(const srdiff::UpscaleState& state) {
  switch (state.kind) {
    case Kind::x_sr:
      return x_sr_name;
    case Kind::weight_map:
      return weight_map_name;
    case Kind::x_t:
      return x_t_name;
    case Kind::x0:
      return fmt::format("{}{:03}_t{:04}.png", x0_prefix, state.evaluation, state.t);
  }
  return "state.png";
}

}  // namespace

bool would_be_step(const fs::path& folder, const fs::path& picture) {
  std::error_code error;
  const fs::path name = picture.filename();
  const fs::path above = picture.has_parent_path() ? picture.parent_path() : ".";
  const bool is_step_name = name == x_sr_name || name == weight_map_name || name == x_t_name ||
                            name.native().rfind(x0_prefix, 0) == 0;
  return is_step_name && fs::equivalent(folder, above, error);
}

void prepare_step_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    throw srdiff::InputError(folder.string() + ": cannot be made a folder for the steps" +
                             (error ? ": " + error.message() : ""));
  }
}

void write_step_picture(const fs::path& folder, const srdiff::UpscaleState& state) {
  srdiff::Image picture;
  picture.rgb = state.value[0];
  if (state.kind == Kind::weight_map) {  // [0,1] → [−1,1]
    picture.grey = picture.rgb.size(0) == 1;
    picture.rgb = picture.rgb.expand({3, -1, -1}).mul(2.0).sub(1.0);
  }
  write_image(folder / file_name(state), picture);
}
