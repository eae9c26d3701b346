"""The environments: what is asked for (.in), what is locked (.lock), and the same for conda users."""
