# SPDX-License-Identifier: MIT OR Apache-2.0
# What a package ships, and packages.

.PHONY: manual lint-dist

# Runs a command for each file below PREFIX/share: $$1 is the file, $$2 where it goes.
SHARED_FILES = set -e; \
  for page in man/*.[18]; do \
    set -- $$page share/man/man$${page\#\#*.}/$${page\#\#*/}; $(1); \
  done; \
  set -- completions/tuxscope.bash share/bash-completion/completions/tuxscope; $(1); \
  set -- completions/_tuxscope share/zsh/site-functions/_tuxscope; $(1); \
  set -- completions/tuxscope.fish share/fish/vendor_completions.d/tuxscope.fish; $(1)

manual: deps ## write the man pages and completions anew, from the command line and man/*.in
	$(Q)UPDATE=1 $(CARGO) test -q --locked --test manual

lint-dist: ## mandoc, systemd-analyze on what a package ships
	$(Q)for page in man/*.[18]; do mandoc -T lint -W warning $$page || exit 1; done
	$(Q)systemd-analyze security --no-pager --offline=true --threshold=20 dist/tuxscope.service | tail -n 1
