#include "standard_streams.h"
#include "tool.h"

int main(int argc, char** argv) {
  fill_closed_streams();
  srdiff_run(argc, argv, {});
}
