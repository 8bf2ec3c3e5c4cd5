/** The same drawing as public/favicon.svg. */
export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="#0b6b4f" />
      <path
        d="M8.5 7h15A2.5 2.5 0 0 1 26 9.5v9a2.5 2.5 0 0 1-2.5 2.5H15l-5.2 4.2A.5.5 0 0 1 9 24.8V21h-.5A2.5 2.5 0 0 1 6 18.5v-9A2.5 2.5 0 0 1 8.5 7Z"
        fill="#fff"
      />
      <path d="m11.5 14 3.2 3.2 6-6.2" fill="none" stroke="#0b6b4f" strokeWidth="2.6" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}
