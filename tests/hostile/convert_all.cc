// convert_all OUT_DIR ENDING FILE...: each picture decoded and encoded again as OUT_DIR/NAMEENDING,
// without a network between. Prints a line a file, "done NAME" or "refused MESSAGE"; ends with 0
// unless something is thrown that a caller of the library could not expect.
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>

#include "srdiff/error.h"
#include "srdiff/image_io.h"

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: convert_all OUT_DIR ENDING FILE...\n";
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  for (int i = 3; i < argc; ++i) {
    const std::filesystem::path file = argv[i];
    try {
      const srdiff::Image image = srdiff::read_image(file);
      srdiff::write_image(folder / (file.filename().string() + argv[2]), image,
                          {.made_by = "convert_all"});
      std::cout << "done " << file.filename().string() << std::endl;
    } catch (const srdiff::InputError& error) {
      std::cout << "refused " << error.what() << std::endl;
    } catch (const std::exception& error) {
      std::cout << "UNEXPECTED " << file.filename().string() << ": " << error.what() << std::endl;
      return 1;
    }
  }
  return 0;
}
