#include "usage.h"

#include <cstdio>

#include "exit_status.h"

int tell_usage() {
  std::fputs(
      "srdiff enlarges pictures. What most people do with it:\n"
      "\n"
      "  srdiff upscale photo.jpg large.png         a picture, four times as wide and as high\n"
      "  srdiff upscale *.jpg large                 many pictures, into a folder\n"
      "  srdiff upscale photos large --recursive    a folder into another, with its subfolders\n"
      "\n"
      "More: srdiff --help, srdiff upscale --help, man srdiff\n",
      stderr);
  return exit_usage;
}
