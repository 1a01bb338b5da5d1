#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "batch/image_report.h"

/// "40 s", "12 min", "3 h 20 min": as exactly as one plans with. Seconds are at least 0.
std::string duration_text(double seconds);

/// "38 %, 12 s left", by what the part that is done took. Nothing is said of the time where nothing
/// is done yet, or nothing any more: a picture that runs out of memory starts again.
std::string share_text(double fraction, double elapsed_seconds);

/// "3/8 pictures, 12 s left", in the same way.
std::string progress_text(std::int64_t done, std::int64_t total, const char* unit,
                          double elapsed_seconds);

/// "3/8 pictures, 1 failed, 12 min left", by what those that are computed took, a part of one too.
/// Pictures that are skipped or fail take next to no time.
std::string folder_progress_text(const srdiff::BatchProgress& pictures, double computed,
                                 double elapsed_seconds);

/// The share of its pictures that a folder run has computed, without those that took no time.
double folder_fraction(const srdiff::BatchProgress& pictures, double computed);

/// A bar of 30 cells, of which `fraction` is filled.
std::string progress_cells(double fraction);

/// The end of a file name of more than `most` characters, behind "…".
std::string shortened(const std::string& name, std::size_t most);

/// What is said once of a run that will take long: "photo.jpg: 48 tiles of 4 evaluations, some 12
/// min in all". Empty while the part that is done is too small to tell by, or if the whole run
/// takes a minute at most.
std::string long_run_text(const std::string& work, double done_fraction, double elapsed_seconds);
