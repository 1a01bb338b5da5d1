#pragma once

#include <cstdint>
#include <string>

/// "3/8 evaluations, 12 s left", by what the part that is done took. Nothing is said of the time
/// where nothing is done yet, or nothing any more: a picture that runs out of memory starts again.
std::string progress_text(std::int64_t done, std::int64_t total, const char* unit,
                          double elapsed_seconds);

/// A bar of 30 cells, filled to `done` of `total`; an empty one where there is nothing to do.
std::string progress_cells(std::int64_t done, std::int64_t total);
