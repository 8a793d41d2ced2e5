"""`python -m kubesonar`; the command `kubesonar` calls `cli.main` itself."""

from kubesonar.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
