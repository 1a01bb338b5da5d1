#include "version.h"

std::string version_line() {
  const std::string commit = SRDIFF_COMMIT;
  return "srdiff " SRDIFF_VERSION + (commit.empty() ? "" : " (" + commit + ")");
}
