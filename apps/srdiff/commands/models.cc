#include <iostream>
#include <memory>
#include <string>

#include "commands/commands.h"
#include "commands/method_options.h"
#include "exit_status.h"
#include "output/json_output.h"
#include "remedies.h"
#include "srdiff/error.h"
#include "srdiff/logging.h"
#include "srdiff/model.h"

namespace {

struct ModelsArgs {
  std::string name;
  bool json = false;
  bool trust_model = false;
};

int run_list(const ModelsArgs& args) {
  auto document = nlohmann::ordered_json::array();
  for (const auto& folder : srdiff::list_models()) {
    try {
      const srdiff::Manifest manifest = srdiff::read_manifest(folder);
      if (args.json) {
        document.push_back({{"name", manifest.name},
                            {"version", manifest.version},
                            {"scale", manifest.scale},
                            {"description", manifest.description},
                            {"folder", folder.string()}});
      } else {
        std::cout << manifest.name << "  " << manifest.version << "  x" << manifest.scale << "  "
                  << manifest.description << "  (" << folder.string() << ")\n";
      }
    } catch (const srdiff::ModelError& error) {
      srdiff::log::warn("{}", worded(error));
    }
  }
  if (args.json) {
    print_json(document);
  }
  return exit_ok;
}

void print_fields(const nlohmann::ordered_json& object, const std::string& indent) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_object()) {
      std::cout << indent << key << ":\n";
      print_fields(value, indent + "  ");
    } else {
      std::cout << indent << key << ": "
                << (value.is_string() ? value.get<std::string>() : value.dump()) << '\n';
    }
  }
}

int run_info(const ModelsArgs& args) {
  const auto document = to_json(srdiff::read_manifest(srdiff::find_model(args.name)));
  if (args.json) {
    print_json(document);
  } else {
    print_fields(document, "");
  }
  return exit_ok;
}

int run_verify(const ModelsArgs& args) {
  const auto folder = srdiff::find_model(args.name);
  const srdiff::Manifest manifest = srdiff::read_manifest(folder);
  srdiff::Model::load(folder, manifest, c10::kCPU, c10::kFloat, {}, network_trust(args.trust_model))
      .check_networks();
  srdiff::log::info("{}: {} {} is whole and runs", folder.string(), manifest.name,
                    manifest.version);
  if (args.json) {
    print_json({{"name", manifest.name}, {"folder", folder.string()}, {"ok", true}});
  }
  return exit_ok;
}

}  // namespace

void add_models(CLI::App& app, Command& command) {
  auto args = std::make_shared<ModelsArgs>();
  CLI::App& sub = *app.add_subcommand("models", "List, describe or verify models");
  sub.require_subcommand(0, 1);
  const auto add = [&](const char* name, const char* help, bool takes_name,
                       int (*run)(const ModelsArgs&)) {
    CLI::App& action = *sub.add_subcommand(name, help);
    if (takes_name) {
      action.add_option("MODEL", args->name, "Model name, or a folder with a / in it")->required();
    }
    action.add_flag("--json", args->json, "Print JSON on standard output");
    action.callback([args, run, &command] { command = [args, run] { return run(*args); }; });
    return &action;
  };
  sub.add_flag("--json", args->json, "Print JSON on standard output");
  add("list", "The models that are found, and where (default)", false, run_list);
  add("info", "What a model's manifest says", true, run_info);
  CLI::App& verify =
      *add("verify", "Load a model and check hashes, code, shapes and scale", true, run_verify);
  add_trust_option(verify, args->trust_model);
  sub.callback([&sub, args, &command] {
    if (sub.get_subcommands().empty()) {
      command = [args] { return run_list(*args); };
    }
  });
}
