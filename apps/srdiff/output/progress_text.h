#pragma once

#include <cstdint>
#include <string>

/// "40 s", "12 min", "3 h 20 min": as exactly as one plans with. Seconds are at least 0.
std::string duration_text(double seconds);

/// "3/8 evaluations, 12 s left", by what the part that is done took. Nothing is said of the time
/// where nothing is done yet, or nothing any more: a picture that runs out of memory starts again.
std::string progress_text(std::int64_t done, std::int64_t total, const char* unit,
                          double elapsed_seconds);

/// A bar of 30 cells, filled to `done` of `total`; an empty one where there is nothing to do.
std::string progress_cells(std::int64_t done, std::int64_t total);

/// What is said once of a run that will take long: "photo.jpg: 48 tiles of 4 evaluations, some 12
/// min in all". Empty while the part that is done is too small to tell by, or if the whole run
/// takes a minute at most.
std::string long_run_text(const std::string& work, double done_fraction, double elapsed_seconds);
