#pragma once

#include <exception>
#include <stdexcept>
#include <string>

namespace srdiff {

/// Every failure that the library reports is one of these. The message is one line that names the
/// thing at fault, the reason and, where there is one, the remedy; it is made printable here.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message);
};

/// A picture that cannot be read, is not one, is too large for the model, or cannot be written.
class InputError : public Error {
 public:
  using Error::Error;
};

/// Memory, the machine's or the device's, does not hold what a picture takes.
class MemoryError : public InputError {
 public:
  using InputError::InputError;
};

/// A setting outside its range, or settings that contradict each other.
class UsageError : public Error {
 public:
  using Error::Error;
};

/// A model folder that is missing, damaged or not what its manifest says; a device that is absent
/// or computes wrongly.
class ModelError : public Error {
 public:
  using Error::Error;
};

/// The caller's cancellation callback asked for a stop.
class Cancelled : public Error {
 public:
  Cancelled() : Error("interrupted") {}
};

/// Whether an exception says that memory ran out: a MemoryError, std::bad_alloc, or LibTorch's own,
/// also where a network's interpreter has kept nothing of them but the words.
bool is_out_of_memory(const std::exception& error);

}  // namespace srdiff
