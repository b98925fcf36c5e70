"""Every service that Ace has, from services.yaml, by name."""

from __future__ import annotations

from dataclasses import replace

from pipelines.sandbox.vendors.acedata.orders import Service
from pipelines.sandbox.vendors.acedata.sora import parse_sora_order
from pipelines.sandbox.vendors.tables import read_table

SERVICES = {service.name: service for service in read_table("acedata/services.yaml", Service)}
SERVICES["sora"] = replace(SERVICES["sora"], parse=parse_sora_order)
