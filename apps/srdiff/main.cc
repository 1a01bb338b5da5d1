#include "standard_streams.h"
#include "tool.h"
#include "usage.h"

int main(int argc, char** argv) {
  fill_closed_streams();
  if (argc < 2) {
    return tell_usage();
  }
  srdiff_run(argc, argv, {});
}
