#pragma once

/// Puts /dev/null in the place of each standard stream that the caller closed, so that no file
/// opened later becomes one. Reading that input and writing that output fail, as on a closed one.
/// To be called before any file is opened.
void fill_closed_streams();
