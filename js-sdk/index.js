// The package is types. Importing it at run time is harmless and gives nothing.
export {};
