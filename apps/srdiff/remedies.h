#pragma once

#include <string>

#include "srdiff/error.h"

/// An error in the words of the command line: what the library says, and the options that help.
std::string worded(const srdiff::Error& error);
