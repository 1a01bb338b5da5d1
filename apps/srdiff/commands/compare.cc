#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <system_error>

#include "commands/commands.h"
#include "commands/method_options.h"
#include "commands/preferences.h"
#include "evaluation/metrics.h"
#include "exit_status.h"
#include "output/json_output.h"
#include "srdiff/error.h"
#include "srdiff/image_io.h"
#include "srdiff/logging.h"
#include "standard_streams.h"
#include "typed_options.h"

namespace {

struct CompareArgs : OptionOrigins {
  std::string a;
  std::string b;
  double tolerance = 0.0;
  double fail_percent = 0.0;
  std::string diff_image;
  double max_ratio = srdiff::DecodeLimits().max_pixels_per_byte;
  bool accept_damaged = false;
  bool json = false;
};

struct Comparison {
  double psnr;
  std::optional<double> ssim;
  srdiff::Difference difference;
  std::string channel;
  CompareStatus status;
};

const char* word(CompareStatus status) {
  switch (status) {
    case compare_same:
      return "same";
    case compare_within_tolerance:
      return "within tolerance";
    case compare_sizes_differ:
      return "sizes differ";
    default:
      return "different";
  }
}

bool is_one_of_pictures(const std::string& file, const CompareArgs& args) {
  std::error_code error;
  return std::filesystem::equivalent(file, args.a, error) ||
         std::filesystem::equivalent(file, args.b, error);
}

void check_args(const CompareArgs& args) {
  if (!(args.tolerance >= 0.0 && args.tolerance <= 1.0)) {
    throw srdiff::UsageError("tolerance is outside 0 to 1, where 1/255 is a level of 8 bits");
  }
  if (!(args.fail_percent >= 0.0 && args.fail_percent <= 100.0)) {
    throw srdiff::UsageError("fail-percent is outside 0 to 100");
  }
  if (!args.diff_image.empty()) {
    srdiff::check_writable_format(args.diff_image);
    if (is_one_of_pictures(args.diff_image, args)) {
      throw srdiff::UsageError(args.diff_image + ": is one of the pictures; give another file");
    }
  }
}

srdiff::Image read_quietly(const std::string& path, const CompareArgs& args) {
  const QuietStderr quiet;
  srdiff::DecodeLimits limits;
  limits.max_pixels_per_byte = args.max_ratio;
  limits.accept_damaged = args.accept_damaged;
  return srdiff::read_image(path, limits);
}

/// [3 or 4,H,W] in [−1,1]: the colours and, where asked for, alpha; a picture without is opaque.
at::Tensor channels(const srdiff::Image& image, bool with_alpha) {
  if (!with_alpha) {
    return image.rgb;
  }
  const at::Tensor alpha =
      image.alpha.defined() ? image.alpha : at::ones_like(image.rgb.slice(0, 0, 1));
  return at::cat({image.rgb, alpha.mul(2.0).sub(1.0)});
}

CompareStatus status_of(const srdiff::Difference& difference, const CompareArgs& args) {
  if (difference.different_pixels == 0.0) {
    return compare_same;
  }
  return difference.failed_pixels * 100.0 <= args.fail_percent ? compare_within_tolerance
                                                               : compare_different;
}

Comparison comparison_of(const srdiff::Image& a, const srdiff::Image& b, const CompareArgs& args) {
  const bool with_alpha = a.alpha.defined() || b.alpha.defined();
  const at::Tensor rgb_a = a.rgb.unsqueeze(0);
  const at::Tensor rgb_b = b.rgb.unsqueeze(0);
  Comparison result;
  result.psnr = srdiff::psnr(rgb_a, rgb_b).item<double>();
  if (std::min(a.width(), a.height()) >= srdiff::ssim_min_side) {
    result.ssim = srdiff::ssim(rgb_a, rgb_b).item<double>();
  }
  result.difference =
      srdiff::difference(channels(a, with_alpha), channels(b, with_alpha), args.tolerance);
  const std::array<const char*, 4> names = {"red", "green", "blue", "alpha"};
  const auto channel = static_cast<std::size_t>(result.difference.channel);
  result.channel = a.grey && b.grey && channel < 3 ? "grey" : names.at(channel);
  result.status = status_of(result.difference, args);
  return result;
}

/// |A − B|, the largest difference white: small ones would not be seen.
void write_difference(const std::string& path, const srdiff::Image& a, const srdiff::Image& b) {
  srdiff::Image image;
  const at::Tensor distance = (a.rgb - b.rgb).abs();
  const auto largest = distance.max().item<double>();
  image.rgb = (largest > 0.0 ? distance.div(largest) : distance).mul(2.0).sub(1.0);
  image.grey = a.grey && b.grey;
  srdiff::write_image(path, image);
}

void print_figures(const Comparison& comparison, const CompareArgs& args) {
  const auto row = [](const char* name) -> std::ostream& {
    return std::cout << std::left << std::setw(22) << name;
  };
  const srdiff::Difference& difference = comparison.difference;
  std::cout << std::fixed;
  row("PSNR") << std::setprecision(3) << comparison.psnr << " dB\n";
  if (comparison.ssim) {
    row("SSIM") << std::setprecision(5) << *comparison.ssim << '\n';
  }
  row("largest difference") << std::setprecision(5) << difference.largest << std::setprecision(2)
                            << " (" << difference.largest * 255.0 << "/255) at x " << difference.x
                            << ", y " << difference.y << ", " << comparison.channel << '\n';
  row("mean difference") << std::setprecision(6) << difference.mean << '\n';
  row("pixels that differ") << std::setprecision(3) << difference.different_pixels * 100.0
                            << " %\n";
  if (args.tolerance > 0.0) {
    row("above the tolerance") << difference.failed_pixels * 100.0 << " %\n";
  }
  row("result") << word(comparison.status) << '\n';
}

nlohmann::ordered_json report(const Comparison& comparison, const CompareArgs& args) {
  const srdiff::Difference& difference = comparison.difference;
  nlohmann::ordered_json document = {{"a", args.a}, {"b", args.b}};
  document["result"] = word(comparison.status);
  document["psnr"] = comparison.psnr;  // infinite is null
  document["ssim"] = comparison.ssim ? nlohmann::ordered_json(*comparison.ssim) : nullptr;
  document["largest_difference"] = {{"value", difference.largest},
                                    {"x", difference.x},
                                    {"y", difference.y},
                                    {"channel", comparison.channel}};
  document["mean_difference"] = difference.mean;
  document["different_pixels"] = difference.different_pixels;
  document["tolerance"] = args.tolerance;
  document["pixels_above_tolerance"] = difference.failed_pixels;
  return document;
}

std::string size_text(const srdiff::Image& image) {
  return std::to_string(image.width()) + "x" + std::to_string(image.height());
}

int report_sizes(const srdiff::Image& a, const srdiff::Image& b, const CompareArgs& args) {
  if (args.json) {
    print_json({{"a", args.a}, {"b", args.b}, {"result", word(compare_sizes_differ)}});
  }
  srdiff::log::error("{} is {} and {} is {}: sizes differ", args.a, size_text(a), args.b,
                     size_text(b));
  return compare_sizes_differ;
}

int run_compare(CompareArgs args) {
  if (is_one_of_pictures(args.diff_image, args)) {
    args.leave_out_aloud("--diff-image", args.diff_image);
  }
  check_args(args);
  args.tell_left_out();
  const srdiff::Image a = read_quietly(args.a, args);
  const srdiff::Image b = read_quietly(args.b, args);
  if (a.width() != b.width() || a.height() != b.height()) {
    return report_sizes(a, b, args);
  }
  const Comparison comparison = comparison_of(a, b, args);
  if (args.json) {
    print_json(report(comparison, args));
  } else {
    print_figures(comparison, args);
  }
  if (!args.diff_image.empty()) {
    write_difference(args.diff_image, a, b);
  }
  return comparison.status;
}

}  // namespace

void add_compare(CLI::App& app, Command& command) {
  auto args = std::make_shared<CompareArgs>();
  CLI::App& sub = *app.add_subcommand("compare", "How two pictures differ");
  sub.footer(
      "Differences are for values in [0,1]: 1/255 = 0.00392 is one level of 8 bits. PSNR and SSIM\n"
      "are on RGB; alpha counts in the differences.\n"
      "Exit status, in idiff's manner and unlike the other subcommands: 0 the same, 1 different\n"
      "within the tolerance, 2 different, 3 sizes differ, 4 unreadable or any other failure.");
  sub.add_option("A", args->a, "First picture")->required();
  sub.add_option("B", args->b, "Second picture")->required();
  sub.add_option("--tolerance", args->tolerance, "Largest difference of a pixel that is accepted")
      ->capture_default_str();
  sub.add_option("--fail-percent", args->fail_percent, "Pixels that may differ by more, in percent")
      ->capture_default_str();
  sub.add_option("--diff-image", args->diff_image,
                 "Write |A - B| as a picture, the largest difference white");
  sub.add_option("--max-ratio", args->max_ratio,
                 "Pixels for each byte of a picture above 16 Mi pixels")
      ->check(ratio_problem, "")
      ->capture_default_str();
  sub.add_flag("--accept-damaged", args->accept_damaged,
               "Read what is left of damaged pictures, grey where they end");
  sub.add_flag("--json", args->json, "Print JSON on standard output");
  sub.callback([&app, &sub, args, &command] {
    args->config = given_config(app);
    args->typed = typed_options(sub);
    command = [args] { return run_compare(*args); };
  });
}
