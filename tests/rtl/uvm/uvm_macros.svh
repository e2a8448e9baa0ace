// See uvm_pkg.sv beside it.
`ifndef UVM_MACROS_SVH
`define UVM_MACROS_SVH
`define uvm_object_utils(T)
`define uvm_component_utils(T)
`define uvm_warning(ID, MESSAGE) $display("%s: %s", ID, MESSAGE);
`endif
