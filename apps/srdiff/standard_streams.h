#pragma once

#include <cstdint>
#include <string>

/// Standard input to its end, or to one byte more than `max_bytes`, so that the reader of these
/// bytes sees that they are too many. Throws InputError, and Cancelled when it is interrupted.
std::string read_standard_input(std::int64_t max_bytes);

/// All of `bytes`, past std::cout, which goes on waiting for a reader after a signal. Where it
/// fails or is interrupted std::cout is bad.
void write_standard_output(const std::string& bytes);
