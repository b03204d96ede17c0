//! What every store must do, as cases over `dyn Store`; each database's tests run all of them.
