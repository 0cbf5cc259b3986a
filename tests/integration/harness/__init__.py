# SPDX-License-Identifier: Apache-2.0
"""What the integration tests stand on: a private httpd, a raw HTTP client, the daemon's socket, processes."""
