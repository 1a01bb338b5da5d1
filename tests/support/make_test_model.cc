// make_test_model FOLDER [options]: a tiny model folder for the tests that run the tool, or with
// --features or --lpips that of another tiny network.
#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>
#include <string>

#include "support/test_model.h"

int main(int argc, char** argv) {
  srdiff::support::TestModelOptions options;
  std::string folder;
  std::string parameterisation = "eps";
  bool features = false;
  bool lpips = false;
  CLI::App app{"Writes a tiny model folder for tests"};
  app.add_option("FOLDER", folder)->required();
  app.add_option("--name", options.name);
  app.add_option("--scale", options.scale);
  app.add_option("--size-multiple", options.size_multiple);
  app.add_option("--parameterisation", parameterisation, "eps, x0 or v");
  app.add_option("--patch", options.manifest_patch, "JSON merge patch for the manifest");
  app.add_option("--damage", options.damaged, "regressor, weight_map or denoiser");
  app.add_flag("!--no-regressor", options.regressor);
  app.add_flag("!--no-weight-map", options.weight_map);
  app.add_flag("--features", features, "A feature network, without other options");
  app.add_flag("--lpips", lpips, "An LPIPS network, without other options");
  CLI11_PARSE(app, argc, argv);
  try {
    if (features) {
      srdiff::support::make_test_features(folder);
      return 0;
    }
    if (lpips) {
      srdiff::support::make_test_lpips(folder);
      return 0;
    }
    options.parameterisation = srdiff::parse_parameterisation(parameterisation);
    srdiff::support::make_test_model(folder, options);
  } catch (const std::exception& error) {
    std::cerr << "make_test_model: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
