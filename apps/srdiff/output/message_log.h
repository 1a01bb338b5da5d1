#pragma once

/// Has srdiff::log write to user_stderr, each message on one line behind "srdiff: ".
void set_up_message_log();
