"""Editing of a line that nobody types: everything may be asked for and does nothing."""


def _nothing(*arguments):
    return None


parse_and_bind = read_init_file = set_completer = set_completer_delims = set_history_length = _nothing
read_history_file = write_history_file = add_history = clear_history = set_startup_hook = _nothing
insert_text = redisplay = set_pre_input_hook = set_auto_history = get_completer = _nothing


def get_line_buffer():
    return ""


def get_completer_delims():
    return " \t\n"


def get_current_history_length():
    return 0
