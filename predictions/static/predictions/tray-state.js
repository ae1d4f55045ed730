/** The key in sessionStorage under which the list of uploads is kept. */
export const STATE = "uploads";
