interface Props {
  children: string | undefined;
  className?: string;
}

/** What people wrote for each other, line by line as they did. Nothing where they wrote nothing. */
export function Note({ children, className = '' }: Props) {
  if (!children) return null;
  return <span className={`note ${className}`}>{children}</span>;
}
