//! Every activity × death before and after it: the process and the engine are gone, and everything
//! goes on from what they left.
