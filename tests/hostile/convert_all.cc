// convert_all [--accept-damaged] OUT_DIR FILE...: each picture decoded, and encoded again as
// OUT_DIR/INDEX.png, with no network between. Prints a line a file, "INDEX done" or "INDEX refused
// MESSAGE". Anything but an InputError ends it: the library promises no other for a picture.
#include <spdlog/sinks/stdout_sinks.h>

#include <filesystem>
#include <iostream>
#include <string>

#include "srdiff/error.h"
#include "srdiff/image_io.h"
#include "srdiff/logging.h"

int main(int argc, char** argv) {
  spdlog::set_default_logger(spdlog::stderr_logger_st("convert_all"));
  srdiff::DecodeLimits limits;
  limits.accept_damaged = argc > 1 && std::string(argv[1]) == "--accept-damaged";
  const int first = limits.accept_damaged ? 3 : 2;
  const std::filesystem::path folder = argc >= first ? argv[first - 1] : ".";
  for (int i = first; i < argc; ++i) {
    const std::string index = std::to_string(i - first);
    try {
      const srdiff::Image image = srdiff::read_image(argv[i], limits);
      srdiff::write_image(folder / (index + ".png"), image, {.made_by = "convert_all"});
      std::cout << index << " done" << std::endl;
    } catch (const srdiff::InputError& error) {
      std::cout << index << " refused " << error.what() << std::endl;
    }
  }
  return 0;
}
