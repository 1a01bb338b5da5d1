#pragma once

#include <string_view>

/// page.html, of which the build makes a source: HTML with @MARK@ and @DATA@ in it.
extern const std::string_view page_template;
