// The time zone is UTC, whatever the host's is.
// expect: 201
// timeout: 2000
if (new Date(0).getTimezoneOffset() !== 0 || new Date(0).getHours() !== 0 || !`${new Date(0)}`.includes('GMT+0000'))
  throw new Error(`reached: ${new Date(0)}`);
