#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>

#include "models/default_models.h"
#include "pipeline/setting_list.h"
#include "srdiff/device.h"
#include "srdiff/model.h"
#include "srdiff/upscaler.h"

/// The options of every subcommand that runs a model: which model, how, and on what.
struct MethodArgs {
  std::string model = srdiff::model_of_faces;  ///< "auto": see DefaultModels
  std::string device = "auto";
  std::string precision = "fp32";
  int threads = srdiff::available_processors();
  bool trust_model = false;  ///< load networks without a look into them
  /// What the options ask for that are numbers; of the others see `words` and `switched_off`.
  srdiff::UpscaleOptions options;
  std::map<std::string, std::string> words = {};  ///< by a setting's name; empty: not given
  std::map<std::string, bool> switched_off = {};  ///< by a setting's name, of --no-NAME
};

/// Adds the groups "Method" and "Machine". Defaults shown in the help are those in `args`.
void add_method_options(CLI::App& sub, MethodArgs& args);

/// Adds the group "Machine" alone.
void add_machine_options(CLI::App& sub, MethodArgs& args);

/// Adds --device, --precision. add_machine_options does it too.
CLI::Option* add_device_option(CLI::App& sub, MethodArgs& args);
CLI::Option* add_precision_option(CLI::App& sub, MethodArgs& args, const char* description);

/// Adds --trust-model, which `trust` gets. add_machine_options does it for MethodArgs.
CLI::Option* add_trust_option(CLI::App& sub, bool& trust);

/// What --trust-model comes to.
srdiff::NetworkTrust network_trust(bool trust);

/// Adds the option of one setting, by its name in pipeline/setting_list.h.
CLI::Option* add_setting_option(CLI::App& sub, MethodArgs& args, std::string_view name);

/// The option's name on the command line: "--color-fix", or "--no-weight-map".
template <typename Option, typename Value>
std::string setting_option_name(const srdiff::Setting<Option, Value>& setting) {
  std::string name = setting.name;
  std::replace(name.begin(), name.end(), '_', '-');
  return (std::is_same_v<Option, bool> ? "--no-" : "--") + name;
}

/// Why a word is no --max-ratio, or nothing: CLI11's ranges let nan pass.
std::string ratio_problem(const std::string& word);

/// What the process is set to before networks run: the threads of the options, LibTorch's memory
/// and its arithmetic.
void set_up_networks(const MethodArgs& args);

/// What the options come to, before a model is loaded.
struct Method {
  std::filesystem::path folder;
  srdiff::Manifest manifest;
  srdiff::UpscaleSettings settings;
  c10::Device device;
  c10::ScalarType precision;
  bool any_precision = false;  ///< --precision auto: load_upscaler chooses
  srdiff::NetworkTrust trust = srdiff::NetworkTrust::checked;
};

/// Finds the model, which must be named, checks the options against its manifest and sets the
/// number of threads. Throws UsageError, ModelError.
Method choose_method(const MethodArgs& args);
/// The same with a model that was found before, whatever `args` name.
Method choose_method(const MethodArgs& args, const srdiff::FoundModel& model);

/// Loads and checks the model, or some of its networks, and sets the precision where it is free.
/// Throws ModelError.
srdiff::Upscaler load_upscaler(Method& method, srdiff::ModelParts parts = {});
