#pragma once

#include <string>
#include <vector>

/// A word as bash reads it back, whatever bytes are in it.
std::string shell_quoted(const std::string& word);

/// The option's name in a word: --name of --name=value.
std::string option_name(const std::string& word);

/// The command line as it was typed, for a shell, with the program by its name alone.
std::string typed_command(const std::vector<std::string>& words);

/// The command line that goes on where this one stopped.
std::string resume_command(const std::vector<std::string>& words);
