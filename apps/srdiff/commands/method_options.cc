#include "commands/method_options.h"

#include <cmath>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/parse_number.h"
#include "blas_memory.h"
#include "cache_folder.h"
#include "engine/device_choices.h"
#include "help/offered_words.h"
#include "srdiff/error.h"

namespace {

/// Leaves a choice to the program.
constexpr const char* any_choice = "auto";

std::optional<int> parse_count(const std::string& what, const std::string& word) {
  if (word == any_choice) {
    return std::nullopt;
  }
  const std::optional<int> count = srdiff::parse_number<int>(word);
  if (!count) {
    throw srdiff::UsageError("the " + what + " '" + word + "' is not known; give auto or a number");
  }
  return count;
}

/// Why a word is no seed, or nothing: CLI11 would wrap a negative one and cap a large one.
std::string seed_problem(const std::string& word) {
  return srdiff::parse_number<std::uint64_t>(word) ? "" : word + " is not in 0 to 2^64 - 1";
}

template <typename Option>
constexpr bool is_word = false;
template <typename Value>
constexpr bool is_word<std::optional<Value>> = std::is_enum_v<Value>;
template <>
constexpr bool is_word<srdiff::Start> = true;

/// The words that a setting's option takes, of its numbers apart.
template <typename Option>
std::vector<std::string> choices_of() {
  if constexpr (std::is_enum_v<Option>) {
    return srdiff::words_of<Option>();
  } else if constexpr (is_word<Option>) {
    return srdiff::words_of<typename Option::value_type>();
  } else {
    return {any_choice};
  }
}

/// Takes the word that was given for a setting.
template <typename Value>
void take_word(const char* name, const std::string& word, std::optional<Value>& option) {
  if constexpr (std::is_enum_v<Value>) {
    option = srdiff::parse_word<Value>(word);
  } else if constexpr (std::is_same_v<Value, int>) {
    option = parse_count(name, word);
  }
}

template <typename Value>
void take_word(const char* /*name*/, const std::string& word, Value& option) {
  if constexpr (std::is_enum_v<Value>) {
    option = srdiff::parse_word<Value>(word);
  }
}

srdiff::UpscaleOptions upscale_options(const MethodArgs& args) {
  srdiff::UpscaleOptions options = args.options;
  srdiff::for_each_setting([&](const auto& setting) {
    auto& option = options.*setting.option;
    if constexpr (std::is_same_v<std::decay_t<decltype(option)>, bool>) {
      const auto off = args.switched_off.find(setting.name);
      option = option && (off == args.switched_off.end() || !off->second);
    }
    const auto word = args.words.find(setting.name);
    if (word != args.words.end() && !word->second.empty()) {
      take_word(setting.name, word->second, option);
    }
  });
  return options;
}

template <typename Option, typename Value>
CLI::Option* add_option(CLI::App& sub, MethodArgs& args,
                        const srdiff::Setting<Option, Value>& setting) {
  const std::string name = setting_option_name(setting);
  CLI::Option* option = nullptr;
  if constexpr (std::is_same_v<Option, bool>) {
    option = sub.add_flag(name, args.switched_off[setting.name], setting.description);
  } else if (is_word<Option> || setting.takes_auto) {
    option = offer_words(sub.add_option(name, args.words[setting.name], setting.description),
                         {choices_of<Option>()});
  } else if constexpr (!is_word<Option>) {
    option = sub.add_option(name, args.options.*setting.option, setting.description);
  }
  if constexpr (std::is_same_v<Option, std::uint64_t>) {
    option->check(seed_problem, "");
  }
  return std::string_view(setting.default_word).empty() ? option
                                                        : option->default_str(setting.default_word);
}

const char* title(srdiff::SettingGroup group) {
  switch (group) {
    case srdiff::SettingGroup::method:
      return "Method";
    case srdiff::SettingGroup::method_more:
      return "Method, more";
    case srdiff::SettingGroup::size_more:
      return "Size, more";
    case srdiff::SettingGroup::machine_more:
      return "Machine, more";
  }
  return "";
}

/// What the options come to, with the model that `find` gives. What is wrong with the options and
/// the device is told before a model is looked for.
template <typename Find>
Method method_of(const MethodArgs& args, const Find& find) {
  const srdiff::UpscaleOptions options = upscale_options(args);
  const bool any_precision = args.precision == any_choice;
  const c10::ScalarType precision =
      any_precision ? c10::kFloat : srdiff::parse_precision(args.precision);
  set_up_networks(args);
  const c10::Device device = srdiff::parse_device(args.device);
  srdiff::FoundModel model = find();
  const srdiff::UpscaleSettings settings = srdiff::resolve_settings(options, model.manifest);
  return {std::move(model.folder), std::move(model.manifest),      settings, device, precision,
          any_precision,           network_trust(args.trust_model)};
}

}  // namespace

void set_up_networks(const MethodArgs& args) {
  srdiff::set_threads(args.threads);
  srdiff::use_activation_pool();
  srdiff::use_exact_cuda_arithmetic();
  reserve_blas_memory(args.threads);
}

CLI::Option* add_setting_option(CLI::App& sub, MethodArgs& args, std::string_view name) {
  CLI::Option* option = nullptr;
  srdiff::for_each_setting([&](const auto& setting) {
    if (setting.name == name) {
      option = add_option(sub, args, setting)->group(title(setting.group));
    }
  });
  return option;
}

void add_method_options(CLI::App& sub, MethodArgs& args) {
  sub.add_option("--model", args.model, "Model name, or a folder with a / in it")
      ->group("Method")
      ->capture_default_str();
  srdiff::for_each_setting([&](const auto& setting) {
    if (setting.in_figures) {
      add_option(sub, args, setting)->group(title(setting.group));
    }
  });
  add_machine_options(sub, args);
}

void add_machine_options(CLI::App& sub, MethodArgs& args) {
  const auto machine = [](auto* option) { return option->group("Machine")->capture_default_str(); };
  machine(add_device_option(sub, args));
  machine(add_precision_option(sub, args,
                               "fp32, bf16 or (GPU) fp16 (denoiser), or auto: the\n"
                               "fastest that gives fp32's pictures"))
      ->group("Machine, more");
  machine(sub.add_option("--threads", args.threads, "Processor threads"));
  add_setting_option(sub, args, "batch");
  add_trust_option(sub, args.trust_model)->group("Machine, more");
}

CLI::Option* add_device_option(CLI::App& sub, MethodArgs& args) {
  return offer_words(sub.add_option("--device", args.device, "auto, cpu, cuda or cuda:N"),
                     {srdiff::device_choices()});
}

CLI::Option* add_precision_option(CLI::App& sub, MethodArgs& args, const char* description) {
  std::vector<std::string> words = srdiff::precision_choices();
  words.emplace_back(any_choice);
  return offer_words(sub.add_option("--precision", args.precision, description), {words});
}

CLI::Option* add_trust_option(CLI::App& sub, bool& trust) {
  return sub.add_flag("--trust-model", trust,
                      "Load networks without a look into their code\n(docs/MODELS.md)");
}

srdiff::NetworkTrust network_trust(bool trust) {
  return trust ? srdiff::NetworkTrust::unchecked : srdiff::NetworkTrust::checked;
}

std::string ratio_problem(const std::string& word) {
  const double ratio = srdiff::parse_number<double>(word).value_or(0.0);
  return ratio > 0.0 && std::isfinite(ratio) ? "" : word + " is no number above 0";
}

Method choose_method(const MethodArgs& args) {
  return method_of(args, [&args] { return srdiff::find_and_read_model(args.model); });
}

Method choose_method(const MethodArgs& args, const srdiff::FoundModel& model) {
  return method_of(args, [&model] { return model; });
}

srdiff::Upscaler load_upscaler(Method& method, srdiff::ModelParts parts) {
  srdiff::Model model =
      method.any_precision
          ? srdiff::Model::load_fastest(method.folder, method.manifest, method.device, parts,
                                        method.trust, cache_file("precision.json"))
          : srdiff::Model::load(method.folder, method.manifest, method.device, method.precision,
                                parts, method.trust);
  method.precision = model.precision();
  return srdiff::Upscaler(std::move(model));
}
