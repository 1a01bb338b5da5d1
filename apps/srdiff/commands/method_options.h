#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <string>

#include "srdiff/device.h"
#include "srdiff/model.h"
#include "srdiff/upscaler.h"

/// The options of every subcommand that runs a model: which model, how, and on what.
struct MethodArgs {
  std::string model = "faces-x8";  ///< "auto": see default_model
  std::string start = "predicted";
  std::string sampler;
  std::string grid;
  std::string device = "auto";
  std::string precision = "fp32";
  std::string batch = "auto";
  std::string tile = "auto";
  std::string color_fix;
  srdiff::UpscaleOptions options;
  bool no_weight_map = false;
  int threads = srdiff::available_processors();
};

/// Adds the groups "Method" and "Machine". Defaults shown in the help are those in `args`.
void add_method_options(CLI::App& sub, MethodArgs& args);

/// Adds the group "Machine" alone.
void add_machine_options(CLI::App& sub, MethodArgs& args);

/// What the options come to, before a model is loaded.
struct Method {
  std::filesystem::path folder;
  srdiff::Manifest manifest;
  srdiff::UpscaleSettings settings;
  c10::Device device;
  c10::ScalarType precision;
  bool any_precision = false;  ///< --precision auto: load_upscaler chooses
};

/// Finds the model, which must be named, checks the options against its manifest and sets the
/// number of threads. Throws UsageError, ModelError.
Method choose_method(const MethodArgs& args);

/// Loads and checks the model, and sets the precision where it is free. Throws ModelError.
srdiff::Upscaler load_upscaler(Method& method);
