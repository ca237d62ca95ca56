// A library that has nothing in it but the need for another one.
