//! What needs the inside: the generic code at lane widths that this machine lacks.
